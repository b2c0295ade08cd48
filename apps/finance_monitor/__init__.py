"""Sentiment and topic of company news as it arrives, and one alert for each surge of bad news."""
