"""The platform under the apps: store, accounts, HTTP, pages, inference, versions, retraining, queues, scale."""
