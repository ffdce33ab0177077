own web --env REMOVED=x --env KEPT=same --env CHANGED=old "$image" sleep 1000
