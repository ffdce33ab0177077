# Before API 1.25 networks stood beside the task template, and there they still are.
overlay front
post /services/create 1.24 <<END
{"Name": "web", "Labels": {"io.reconcile.cluster": "lab"}, "Networks": [{"Target": "front"}],
 "TaskTemplate": {"ContainerSpec": {"Image": "$image", "Args": ["sleep", "1000"]}}}
END
