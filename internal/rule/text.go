package rule

// Text writes a value of a document as a message would show it.
func (f Field) Text(d Document) string { return format(f.Type, d[f.Name]) }
