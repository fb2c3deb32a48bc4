package tour

import (
	"testing"

	"github.com/silquetech/silque-notifications/dev/browser"
)

// TestAKeyboardIsEnough goes to the main actions without a mouse: by the single keys, and by Tab and Enter alone.
func TestAKeyboardIsEnough(t *testing.T) {
	t.Parallel()
	v := enter(t).visit(t, browser.Desktop)
	v.goTo("/")
	v.tabTo("link", "Skip to the content")
	v.press("\r")
	for keys, at := range map[string]string{"gn": "/notifications", "gd": "/deliveries", "ge": "/events", "gr": "/errors", "gh": "/", "c": "/notifications/new"} {
		v.goTo("/deliveries")
		v.press(keys)
		v.must(v.Until(`location.pathname === "`+at+`"`, keys+" does not lead to "+at))
	}
	v.goTo("/deliveries")
	v.press("?")
	v.must(v.Until(`document.querySelector("#shortcuts").open`, "? shows no list of keys"))
	v.press("\x1b")
	v.press("/")
	if role, _, err := v.Focused(); err != nil || role != "searchbox" {
		t.Errorf("/ goes to a %s (%v)", role, err)
	}

	v.goTo("/deliveries")
	v.press("j")
	v.press("\r")
	v.must(v.Until(`location.pathname.startsWith("/deliveries/")`, "Enter does not open a row"))
	v.goTo("/notifications/new")
	for _, field := range []struct{ role, name string }{
		{"combobox", "About"}, {"textbox", "Conditions"}, {"textbox", "Message"}, {"button", "Save and activate"},
	} {
		v.tabTo(field.role, field.name)
	}
	v.goTo("/sandbox")
	v.tabTo("searchbox", "Search addresses, subjects and texts")
	v.press("nothing like it\r")
	v.see("Nothing matches")
	v.calm()
}
