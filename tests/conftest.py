"""What several packages' tests share: no deadlines for Hypothesis, because the machines are shared and slow."""

from hypothesis import settings

settings.register_profile("slagboom", deadline=None)
settings.load_profile("slagboom")
