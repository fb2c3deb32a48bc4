package rule

import (
	"strings"
	"unicode/utf16"
)

// The alphabet of an SMS, 3GPP TS 23.038, section 6.2.1: a character of the basic table takes one septet, one of the
// extension table two.
const (
	gsmBasic = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?" +
		"¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
	gsmExtended = "\f^{}\\[~]|€"
)

// The encodings of an SMS.
const (
	GSM7 = "GSM-7"
	UCS2 = "UCS-2"
)

// What one SMS holds (3GPP TS 23.040: 140 octets), and what a part of a longer one does: 6 octets say which part it is.
const (
	gsmSingle, gsmPart   = 160, 153 // septets
	ucs2Single, ucs2Part = 70, 67   // 16-bit units
)

// Segments says how an SMS is encoded, in how many messages it goes out, each of which is paid for, and how many units
// of its encoding it has. A character that takes two units is never split: it moves to the next message.
func Segments(text string) (encoding string, segments, units int) {
	sizes, ok := gsmSizes(text)
	encoding, single, part := GSM7, gsmSingle, gsmPart
	if !ok {
		encoding, single, part = UCS2, ucs2Single, ucs2Part
		sizes = sizes[:0]
		for _, c := range text {
			sizes = append(sizes, max(1, utf16.RuneLen(c)))
		}
	}
	for _, size := range sizes {
		units += size
	}
	if units <= single {
		return encoding, min(1, units), units
	}
	free := 0
	for _, size := range sizes {
		if size > free {
			segments, free = segments+1, part
		}
		free -= size
	}
	return encoding, segments, units
}

// gsmSizes gives the septets of each character; ok is false when there is one that the alphabet lacks.
func gsmSizes(text string) (sizes []int, ok bool) {
	for _, c := range text {
		switch {
		case strings.ContainsRune(gsmBasic, c):
			sizes = append(sizes, 1)
		case strings.ContainsRune(gsmExtended, c):
			sizes = append(sizes, 2)
		default:
			return nil, false
		}
	}
	return sizes, true
}
