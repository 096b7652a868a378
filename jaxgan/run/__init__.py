"""A run: how a training is put together, fed, watched, stopped, continued, and gone back from.

``training`` opens a run's folder and calls ``loop``, which dispatches what ``trainer`` has made and keeps the folder.
"""
