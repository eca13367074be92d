"""What every benchmark stands on. It knows neither a peer nor this project: those are in benchmarks/peers."""
