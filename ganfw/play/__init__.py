"""The playground: a page in the browser to explore what a run's generator has learnt."""
