package ui

import (
	"time"

	"github.com/gin-gonic/gin"
)

// ZoneOf is the reader's time zone, which the browser names in a cookie; UTC when it does not, or names none that is known.
func ZoneOf(c *gin.Context) *time.Location {
	name, err := c.Cookie("silque_zone")
	if err != nil || name == "" || name == "Local" {
		return time.UTC
	}
	if location, err := time.LoadLocation(name); err == nil {
		return location
	}
	return time.UTC
}

// ThemeOf is light or dark when the reader has chosen one.
func ThemeOf(c *gin.Context) string {
	if chosen, err := c.Cookie("silque_theme"); err == nil && (chosen == "light" || chosen == "dark") {
		return chosen
	}
	return ""
}
