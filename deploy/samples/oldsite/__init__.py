"""An old system as offices have them.

Made in 2006, GBK, own accounts, own cookie, a login form with hidden fields.

It is foreign on purpose: it imports nothing of the platform, and the platform knows nothing of its inside.
"""
