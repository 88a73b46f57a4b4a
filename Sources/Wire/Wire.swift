// Wire: message values, their codec and versions.
