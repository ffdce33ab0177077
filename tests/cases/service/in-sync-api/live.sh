# A bare API call leaves everything out.
post /services/create <<END
{"Name": "web", "Labels": {"io.reconcile.cluster": "lab"},
 "TaskTemplate": {"ContainerSpec": {"Image": "$image", "Args": ["sleep", "1000"]}}}
END
