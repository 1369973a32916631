"""The portal.

Realm set-up, directory, catalogue of systems with one-click sign-on, home page, administration.
"""
