"""The head-diversity lab: do the heads of a trained DAN attend to different regions?"""
