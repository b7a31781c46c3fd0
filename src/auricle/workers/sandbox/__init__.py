"""What a worker process gives up before it reads untrusted bytes."""
