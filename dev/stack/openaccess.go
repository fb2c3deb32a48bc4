package stack

import (
	"encoding/base64"
	"encoding/json"

	"github.com/gin-gonic/gin"

	"github.com/silquetech/silque-notifications/internal/account"
	"github.com/silquetech/silque-notifications/web/ui"
)

// openAccess takes everyone for the admin, until sign-in is there.
type openAccess struct{}

// Guard lets everyone in.
func (openAccess) Guard() []gin.HandlerFunc { return nil }

// Person is the admin.
func (openAccess) Person(*gin.Context) *ui.Person {
	return &ui.Person{ID: "dev", Name: "Admin", Email: "admin@localhost", Role: account.Admin}
}

// Token is not checked.
func (openAccess) Token(*gin.Context) string { return "none" }

// PutFlash keeps the line in a cookie.
func (openAccess) PutFlash(c *gin.Context, f ui.Flash) {
	content, err := json.Marshal(f)
	if err != nil {
		return
	}
	c.SetCookie("silque_flash", base64.RawURLEncoding.EncodeToString(content), 60, "/", "", false, true)
}

// PopFlash takes it.
func (openAccess) PopFlash(c *gin.Context) *ui.Flash {
	value, err := c.Cookie("silque_flash")
	if err != nil || value == "" {
		return nil
	}
	content, err := base64.RawURLEncoding.DecodeString(value)
	f := new(ui.Flash)
	if err != nil || json.Unmarshal(content, f) != nil {
		return nil
	}
	c.SetCookie("silque_flash", "", -1, "/", "", false, true)
	return f
}
