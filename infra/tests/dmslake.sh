#!/bin/sh
# In the place of the job's program, which a debug build is too large for.
exec "$DMSLAKE_BINARY" "$@"
