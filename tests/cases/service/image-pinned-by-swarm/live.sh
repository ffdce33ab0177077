# The client resolved the tag when it made the service; the spec names the tag only.
own web --replicas 0 "$image@sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
