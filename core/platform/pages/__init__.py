"""What an app gives to the web application, and the layout around the apps' pages."""
