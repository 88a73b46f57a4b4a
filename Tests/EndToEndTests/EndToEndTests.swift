// End-to-end tests: real coordinator and worker processes, real kills.
