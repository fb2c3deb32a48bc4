package api

import (
	"context"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/silquetech/silque-notifications/internal/catalog"
	"github.com/silquetech/silque-notifications/internal/rule"
	"github.com/silquetech/silque-notifications/internal/store"
)

// model is a catalog entry as clients see it.
type model struct {
	Name       string     `json:"name"`
	Label      string     `json:"label"`
	PrimaryKey []string   `json:"primary_key"`
	Fields     []field    `json:"fields"`
	DateFields []string   `json:"date_fields"`
	Relations  []relation `json:"relations"`
}

type field struct {
	Name     string         `json:"name"`
	Label    string         `json:"label"`
	Type     rule.FieldType `json:"type"`
	Nullable bool           `json:"nullable"`
	// Address is email or number when the application has marked the field as one that holds an address.
	Address string `json:"address"`
}

type relation struct {
	Name        string            `json:"name"`
	Label       string            `json:"label"`
	Kind        rule.RelationKind `json:"kind"`
	Model       string            `json:"model"`
	Field       string            `json:"field"`
	RemoteField string            `json:"remote_field"`
}

func modelOf(m *rule.Model) model {
	out := model{
		Name: m.Name, Label: m.Label, PrimaryKey: append([]string{}, m.PrimaryKey...),
		Fields: make([]field, len(m.Fields)), DateFields: []string{}, Relations: make([]relation, len(m.Relations)),
	}
	for i, f := range m.Fields {
		out.Fields[i] = field{Name: f.Name, Label: f.Label, Type: f.Type, Nullable: f.Nullable, Address: f.Address}
		if f.Type == rule.Date || f.Type == rule.DateTime {
			out.DateFields = append(out.DateFields, f.Name)
		}
	}
	for i, r := range m.Relations {
		out.Relations[i] = relation(r)
	}
	return out
}

// listModels pages through the catalog by name; it is held in memory whole, being a few dozen entries.
func (a *API) listModels(c *gin.Context) error {
	q := readQuery(c)
	limit, cursor := q.limit(), q.filter("cursor")
	if err := q.err(); err != nil {
		return err
	}
	set, err := catalog.Load(c.Request.Context(), a.config.DB)
	if err != nil {
		return err
	}
	if limit == 0 {
		limit = store.DefaultLimit
	}
	page := list[model]{Items: []model{}}
	for _, m := range set.List() {
		if m.Name <= cursor {
			continue
		}
		if len(page.Items) == limit {
			page.Next = page.Items[limit-1].Name
			break
		}
		page.Items = append(page.Items, modelOf(m))
	}
	return answer(c, http.StatusOK, page)
}

func (a *API) getModel(c *gin.Context) error {
	m, _, err := a.model(c.Request.Context(), c.Param("model"))
	if err != nil {
		return err
	}
	return answer(c, http.StatusOK, modelOf(m))
}

// model finds a catalogued model, and gives the whole catalog with it.
func (a *API) model(ctx context.Context, name string) (*rule.Model, catalog.Set, error) {
	set, err := catalog.Load(ctx, a.config.DB)
	if err != nil {
		return nil, nil, err
	}
	m, ok := set.Model(name)
	if !ok {
		return nil, nil, notFound("no model of that name has been registered")
	}
	return m, set, nil
}
