"""The pictures of a report: functions from what is known of a model to figures."""
