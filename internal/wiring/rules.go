package wiring

import (
	"time"

	"github.com/silquetech/silque-notifications/internal/config"
	"github.com/silquetech/silque-notifications/internal/rule"
)

// Rules gives the settings under which notifications are read.
func Rules(c *config.Config) rule.Settings {
	zone, err := time.LoadLocation(c.Rules.TimeZone)
	if err != nil {
		zone = time.UTC // the settings have been checked
	}
	return rule.Settings{
		EmailFields: rule.Mapping(c.Rules.EmailFields), NumberFields: rule.Mapping(c.Rules.NumberFields),
		Zone: zone, KeepUnresolved: c.Rules.UnresolvedTokens == "keep",
	}
}
