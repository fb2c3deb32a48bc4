package email

import (
	"bytes"
	"mime"
	"path"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/wneessen/go-mail"

	"github.com/silquetech/silque-notifications/internal/channel"
)

const (
	// maxFileName is in bytes, as on most file systems. Percent-encoded, a name of that length still fits into one line
	// of at most 998 characters (RFC 5322, section 2.1.1), which a header of a MIME part cannot be longer than.
	maxFileName = 255
	// unnamedFile stands for a file whose name has nothing that could be shown.
	unnamedFile = "attachment"
	binary      = "application/octet-stream"
)

// fileTypes are the content types of the extensions that people send. The machine's own tables are left aside: the same
// message would be another one on another machine.
var fileTypes = map[string]string{
	".csv": "text/csv", ".htm": "text/html", ".html": "text/html", ".ics": "text/calendar", ".md": "text/markdown",
	".txt": "text/plain", ".vcf": "text/vcard", ".xml": "text/xml",
	".json": "application/json", ".pdf": "application/pdf", ".rtf": "application/rtf",
	".gz": "application/gzip", ".zip": "application/zip",
	".avif": "image/avif", ".gif": "image/gif", ".heic": "image/heic", ".jpeg": "image/jpeg", ".jpg": "image/jpeg",
	".png": "image/png", ".svg": "image/svg+xml", ".tif": "image/tiff", ".tiff": "image/tiff", ".webp": "image/webp",
	".m4a": "audio/mp4", ".mp3": "audio/mpeg", ".mp4": "video/mp4", ".wav": "audio/wav",
	".doc": "application/msword", ".ppt": "application/vnd.ms-powerpoint", ".xls": "application/vnd.ms-excel",
	".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
	".pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
	".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
	".odp":  "application/vnd.oasis.opendocument.presentation",
	".ods":  "application/vnd.oasis.opendocument.spreadsheet",
	".odt":  "application/vnd.oasis.opendocument.text",
}

// attach adds a file whose content is in memory. The headers are written here: go-mail would put an encoded word into
// the quoted file name, where it does not belong (RFC 2047, section 5), and not break its line.
func attach(msg *mail.Msg, f channel.File) {
	name := fileName(f.Name)
	msg.AttachReadSeeker(name, bytes.NewReader(f.Content), func(file *mail.File) {
		file.Header.Set("Content-Type", contentType(name, f.Content))
		file.Header.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": name}))
	})
}

// contentType gives a type out of fileTypes; nothing of the name itself gets into it. A text in UTF-8 says so.
func contentType(name string, content []byte) string {
	kind, known := fileTypes[strings.ToLower(path.Ext(name))]
	switch {
	case !known:
		return binary
	case strings.HasPrefix(kind, "text/") && utf8.Valid(content):
		return kind + "; charset=utf-8"
	default:
		return kind
	}
}

// fileName gives a name that can be saved anywhere and shown as it is: the last part of a path, without control
// characters and without those that turn the direction of what follows, so that exe.fdp cannot pass for a PDF.
func fileName(name string) string {
	name = strings.ToValidUTF8(name, "_")
	name = name[strings.LastIndexAny(name, `/\`)+1:]
	name = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r):
			return -1
		case strings.ContainsRune(`":<>?*|`, r): // Windows cannot save them
			return '_'
		default:
			return r
		}
	}, name)
	name = strings.TrimSpace(name)
	if strings.Trim(name, ". _") == "" {
		return unnamedFile
	}
	if extension := path.Ext(name); len(name) > maxFileName && len(extension) < maxFileName/2 {
		return cut(strings.TrimSuffix(name, extension), maxFileName-len(extension)) + extension
	}
	return cut(name, maxFileName)
}

// cut shortens s to at most n bytes, between two characters.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
