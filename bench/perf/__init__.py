"""How fast is the harness, against what, and is it still exact?"""
