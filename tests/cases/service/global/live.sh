own web --mode global "$image" sleep 1000
