"""Read-only checks of a number: would its migration succeed?"""
