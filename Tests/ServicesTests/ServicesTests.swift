// Tests of Services.
