// Autograd: a flat tape of operations; each operation's forward and pullback stand together in Ops/.
