"""Does a kill change anything?  The run is killed many times and finished, and what it leaves is compared."""
