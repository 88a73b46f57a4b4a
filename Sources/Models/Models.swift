// Models: one file per architecture, and the registry that lists them.
