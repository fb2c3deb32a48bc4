package rule

import (
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"
)

// The limits of a WhatsApp template's variables and of attachments.
const (
	VariableLimit       = 100      // variables
	VariableTextLimit   = 1600     // characters, once filled in
	AttachmentLimit     = 10       // files
	AttachmentTextLimit = 64 << 10 // bytes
	attachmentNameLimit = 255      // characters
)

var (
	contentSIDForm   = regexp.MustCompile(`^HX[0-9a-fA-F]{32}$`)
	variableNameForm = regexp.MustCompile(`^[0-9A-Za-z_]{1,64}$`)
)

// extras are the compiled parts that not every notification has.
type extras struct {
	contentSID string
	variables  map[string]template
	files      []fileTemplate
}

// fileTemplate is a compiled attachment.
type fileTemplate struct {
	name, text template
	// from is the document field as it is written; path is nil for a text, and for a field that is gone.
	from string
	path *path
}

func (r Reader) compileExtras(n *Notification, names *scopeNames) (extras, error) {
	e := extras{contentSID: strings.TrimSpace(n.ContentSID)}
	if n.Channel == WhatsApp && e.contentSID != "" {
		e.variables = make(map[string]template, len(n.ContentVariables))
		for name, text := range n.ContentVariables {
			t, err := r.compileTemplate("content_variables."+name, text, n, names)
			if err != nil {
				return e, err
			}
			e.variables[name] = t
		}
	}
	if n.Channel != Email {
		return e, nil
	}
	for i, a := range n.Attachments {
		var f fileTemplate
		var err error
		if f.name, err = r.compileTemplate(fmt.Sprintf("attachments[%d].name", i), a.Name, n, names); err != nil {
			return e, err
		}
		if f.text, err = r.compileTemplate(fmt.Sprintf("attachments[%d].text", i), a.Text, n, names); err != nil {
			return e, err
		}
		if parts := recipientNames(a.DocumentField); parts != nil {
			f.from = strings.Join(parts, ".")
			if found, err := names.value(parts); err == nil {
				f.path = &found
			}
		}
		e.files = append(e.files, f)
	}
	return e, nil
}

// renderVariables fills a WhatsApp template's variables in.
func (e *extras) renderVariables(v view) (map[string]string, error) {
	if len(e.variables) == 0 {
		return nil, nil
	}
	values := make(map[string]string, len(e.variables))
	for name, t := range e.variables {
		text, err := t.render(v)
		if err != nil {
			return nil, inTemplate("content_variables."+name, err)
		}
		if utf8.RuneCountInString(text) > VariableTextLimit {
			return nil, &Error{Code: TemplateParseFail, Message: fmt.Sprintf(
				"content_variables.%s: at most %d characters once its values are filled in", name, VariableTextLimit)}
		}
		values[name] = text
	}
	return values, nil
}

// renderFiles gives the files, and the document fields that name none.
func (e *extras) renderFiles(v view) (files []File, missing []string, err error) {
	for i, f := range e.files {
		file := File{}
		name, err := f.name.render(v)
		if err != nil {
			return nil, nil, inTemplate(fmt.Sprintf("attachments[%d].name", i), err)
		}
		file.Name = oneLine(name)
		if f.from == "" {
			if file.Text, err = f.text.render(v); err != nil {
				return nil, nil, inTemplate(fmt.Sprintf("attachments[%d].text", i), err)
			}
			files = append(files, file)
			continue
		}
		if f.path != nil {
			location, _ := v.value(*f.path).(string)
			file.Location = strings.TrimSpace(location)
		}
		if file.Location == "" {
			missing = append(missing, f.from)
			continue
		}
		files = append(files, file)
	}
	return files, missing, nil
}

// extras checks the WhatsApp template and the attachments.
func (v *validation) extras() {
	sid := strings.TrimSpace(v.n.ContentSID)
	switch {
	case sid == "" && len(v.n.ContentVariables) > 0:
		v.errs.add("content_variables", "variables belong to a WhatsApp template: name it in content_sid")
	case sid == "":
	case v.n.Channel != WhatsApp:
		v.errs.add("content_sid", "only WhatsApp has templates")
	case !contentSIDForm.MatchString(sid):
		v.errs.add("content_sid", "must be HX and 32 hexadecimal digits, as Twilio's Content Template Builder shows it")
	}
	if len(v.n.ContentVariables) > VariableLimit {
		v.errs.add("content_variables", "at most %d", VariableLimit)
	} else {
		for name, text := range v.n.ContentVariables {
			v.variable(name, text)
		}
	}
	v.attachments()
}

func (v *validation) variable(name, text string) {
	field := "content_variables." + name
	switch {
	case !variableNameForm.MatchString(name):
		v.errs.add("content_variables", "a variable's name is made of letters and digits, such as 1 or name")
	case strings.TrimSpace(text) == "":
		v.errs.add(field, "Twilio refuses an empty variable: write a text, or a placeholder with default")
	default:
		v.size(field, text, MessageLimit)
		v.template(field, text)
	}
}

func (v *validation) attachments() {
	files := v.n.Attachments
	switch {
	case len(files) == 0:
		return
	case v.n.Channel != Email:
		v.errs.add("attachments", "only an email can have attachments")
		return
	case len(files) > AttachmentLimit:
		v.errs.add("attachments", "at most %d", AttachmentLimit)
		return
	}
	for i, a := range files {
		v.attachment(fmt.Sprintf("attachments[%d]", i), a)
	}
}

func (v *validation) attachment(field string, a Attachment) {
	hasText, names := strings.TrimSpace(a.Text) != "", recipientNames(a.DocumentField)
	switch {
	case hasText == (names != nil):
		v.errs.add(field, "give either a text or a document field that holds a path or an address of a file")
	case hasText && strings.TrimSpace(a.Name) == "":
		v.errs.add(field+".name", "a text needs a file name, such as terms.txt")
	case utf8.RuneCountInString(a.Name) > attachmentNameLimit:
		v.errs.add(field+".name", "at most %d characters", attachmentNameLimit)
	}
	v.size(field+".text", a.Text, AttachmentTextLimit)
	v.template(field+".name", a.Name)
	v.template(field+".text", a.Text)
	if names == nil || v.names == nil {
		return
	}
	found, err := v.names.value(names)
	switch {
	case err != nil:
		v.errs.add(field+".document_field", "%s", err)
	case found.field.Type != String:
		v.errs.add(field+".document_field", "%s is %s: a text field with a path or an address of a file is needed", found, found.field.Type.called())
	}
}
