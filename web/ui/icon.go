package ui

import "html/template"

// icons are drawn in a box of 24 by 24, by lines of the text's own colour.
var icons = map[string]string{
	"email":    `<rect x="3" y="5" width="18" height="14" rx="2"/><path d="m3 7 9 6 9-6"/>`,
	"sms":      `<path d="M4 5h16v11H9l-5 4z"/>`,
	"whatsapp": `<path d="M12 3a9 9 0 0 0-7.8 13.5L3 21l4.6-1.2A9 9 0 1 0 12 3z"/><path d="M9 8.5c0 4 2.500 6.500 6.500 6.500"/>`,
	"menu":     `<path d="M4 7h16M4 12h16M4 17h16"/>`,
	"search":   `<circle cx="11" cy="11" r="6"/><path d="m20 20-4.500-4.500"/>`,
	"away":     `<path d="M14 4h6v6M20 4l-9 9M18 14v6H4V6h6"/>`,
	"plus":     `<path d="M12 5v14M5 12h14"/>`,
	"retry":    `<path d="M20 11a8 8 0 1 0-2 6"/><path d="M20 5v6h-6"/>`,
	"pause":    `<path d="M9 5v14M15 5v14"/>`,
	"bell":     `<path d="M6 16V11a6 6 0 0 1 12 0v5l2 2H4z"/><path d="M10 21h4"/>`,
	"bin":      `<path d="M4 7h16M9 7V4h6v3M6 7l1 13h10l1-13"/>`,
	"copy":     `<rect x="8" y="8" width="12" height="12" rx="2"/><path d="M16 8V4H4v12h4"/>`,
	"theme":    `<circle cx="12" cy="12" r="8"/><path d="M12 4a8 8 0 0 1 0 16z" class="full"/>`,
}

// icon draws one; it adds nothing to what is read aloud.
func icon(name string) template.HTML {
	return template.HTML(`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">` + icons[name] + `</svg>`) //nolint:gosec // fixed texts
}
