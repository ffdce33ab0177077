/* The schemas, inside the program: what it checks and what editors are given cannot differ. The build has taken
 * descriptions out of them (Makefile). */
	.section .rodata

	.global schema_cluster_text
	.global schema_cluster_end
	.type schema_cluster_text, @object
schema_cluster_text:
	.incbin "embedded/cluster.schema.json"
schema_cluster_end:
	.byte 0
	.size schema_cluster_text, . - schema_cluster_text

	.global schema_settings_text
	.global schema_settings_end
	.type schema_settings_text, @object
schema_settings_text:
	.incbin "embedded/settings.schema.json"
schema_settings_end:
	.byte 0
	.size schema_settings_text, . - schema_settings_text

	.global schema_stack_text
	.global schema_stack_end
	.type schema_stack_text, @object
schema_stack_text:
	.incbin "embedded/stack.schema.json"
schema_stack_end:
	.byte 0
	.size schema_stack_text, . - schema_stack_text

	.section .note.GNU-stack, "", @progbits
