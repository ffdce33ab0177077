/* The schema, inside the program: what it checks and what editors are given cannot differ. */
	.section .rodata
	.global schema_cluster_text
	.global schema_cluster_end
	.type schema_cluster_text, @object
schema_cluster_text:
	.incbin "schema/cluster.schema.json"
schema_cluster_end:
	.byte 0
	.size schema_cluster_text, . - schema_cluster_text
	.section .note.GNU-stack, "", @progbits
