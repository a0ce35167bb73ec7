"""What users give: inputs, study file, tables by hand."""
