own web --health-cmd true --health-start-period 1m "$image" sleep 1000
