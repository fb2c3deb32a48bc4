package rule

import (
	"fmt"
	"regexp"
	"strings"
)

// VariantLimit bounds the languages of one notification.
const VariantLimit = 50

// localeForm is that of a BCP 47 tag, as far as anyone needs it here: a language, then perhaps script, region, variants.
var localeForm = regexp.MustCompile(`^[A-Za-z]{2,8}([-_][A-Za-z0-9]{1,8}){0,4}$`)

// locale gives a tag in the form in which tags are compared.
func locale(tag string) string {
	return strings.ToLower(strings.ReplaceAll(strings.TrimSpace(tag), "_", "-"))
}

// Variant gives the locale of the variant that a recipient with a locale gets: the same one, else the nearest without
// its last parts (de for de-AT), else "" for the notification's own texts.
func (c *Compiled) Variant(of string) string {
	for tag := locale(of); tag != ""; {
		if _, ok := c.variants[tag]; ok {
			return tag
		}
		cut := strings.LastIndexByte(tag, '-')
		if cut < 0 {
			return ""
		}
		tag = tag[:cut]
	}
	return ""
}

// compileVariants compiles the texts in other languages. An empty title or message is the notification's own. A variant
// with a message of its own does not get the HTML of another language.
func (r Reader) compileVariants(n *Notification, names *scopeNames) map[string]content {
	variants := make(map[string]content, len(n.Variants))
	for _, v := range n.Variants {
		in := *n
		if v.Title != "" {
			in.Title = v.Title
		}
		if v.Message != "" || v.HTMLMessage != "" {
			in.Message, in.HTMLMessage = v.Message, v.HTMLMessage
		}
		variants[locale(v.Locale)] = r.compileContent(&in, names)
	}
	return variants
}

// variants checks the texts in other languages like the notification's own.
func (v *validation) variants() {
	if len(v.n.Variants) > VariantLimit {
		v.errs.add("variants", "at most %d", VariantLimit)
		return
	}
	seen := make(map[string]bool)
	for i, variant := range v.n.Variants {
		field := func(name string) string { return fmt.Sprintf("variants[%d].%s", i, name) }
		tag := locale(variant.Locale)
		switch {
		case !localeForm.MatchString(strings.TrimSpace(variant.Locale)):
			v.errs.add(field("locale"), "write a language such as de or pt-BR")
		case seen[tag]:
			v.errs.add(field("locale"), "there is a variant for %s already", tag)
		}
		seen[tag] = true
		if variant.Title+variant.Message+variant.HTMLMessage == "" {
			v.errs.add(field("message"), "write the message in this language")
		}
		v.texts(variant.Title, variant.Message, variant.HTMLMessage, field)
	}
}
