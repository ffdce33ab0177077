own web --mount type=volume,source=data,target=/data --mount type=bind,source=/tmp,target=/host \
	--mount type=volume,source=old,target=/old "$image" sleep 1000
