// The only place that acts.
