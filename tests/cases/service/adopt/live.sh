create web --label team=ops "$image" sleep 1000
