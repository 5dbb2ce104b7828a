// Holds the precompiled header that the io, http, upstream, relay and admin targets share.
