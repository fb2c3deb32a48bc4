package tour

import (
	"strings"
	"testing"

	"github.com/silquetech/silque-notifications/dev/browser"
)

// TestANewcomerWritesARuleAndSeesItSendFailAndSendAgain is the whole path of someone who has never seen the console, from
// the first page on. Nothing is done but by what stands on the pages.
func TestANewcomerWritesARuleAndSeesItSendFailAndSendAgain(t *testing.T) {
	t.Parallel()
	v := enter(t).visit(t, browser.Desktop)
	v.goTo("/")
	v.see("Dashboard")

	v.goTo("/demo/customers")
	v.fill("Name", "Newcomer Ltd")
	v.fill("Email", "newcomer@example.com")
	v.click("button", "Add customer")
	v.see("newcomer@example.com")

	v.writeRule()
	v.order("SO-9001", "750")
	v.readMessage("Order SO-9001 came in")

	v.breakEmail("3")
	v.order("SO-9002", "900")
	v.retryTheFailed("Order SO-9002 came in")
	v.calm()
}

// writeRule writes a notification with a condition and a recipient found through a relation, looks at the preview, and
// activates it.
func (v *visitor) writeRule() {
	v.t.Helper()
	v.goTo("/notifications")
	v.goTo("/notifications/new")
	v.choose("About", "Orders")
	v.click("radio", "is created")
	v.fill("Conditions", "doc.amount > 500")
	v.click("radio", "Email")
	v.must(v.Until(`!!document.querySelector("#notification-fields")`, "the form is gone"))
	if ok, _ := v.Has("textbox", "Recipient"); !ok {
		v.click("button", "Address or field")
	}
	v.fill("Recipient", "doc.customer.email")
	v.fill("Subject", "Order {{ doc.number }} came in")
	v.fill("Message", "Dear {{ doc.customer.name }}, we have your order {{ doc.number }}.")
	v.must(v.Until(`/we have your order SO-\d+/.test(document.querySelector("#preview").innerText)`, "the preview does not show the message of a row"))
	v.picture("newcomer-form")
	v.click("button", "Save and activate")
	v.see("active")
	v.calm()
}

// order adds an order of the newcomer's in the demo shop.
func (v *visitor) order(number, amount string) {
	v.t.Helper()
	v.goTo("/demo/orders")
	v.fill("Number", number)
	v.fill("Amount", amount)
	v.choose("Customer", "Newcomer Ltd")
	v.click("button", "Add order")
	v.see(number)
}

// readMessage waits in the inbox until a message comes by itself, and follows it to its delivery.
func (v *visitor) readMessage(subject string) {
	v.t.Helper()
	v.goTo("/sandbox?q=newcomer%40example.com")
	v.see(subject)
	v.click("link", subject)
	v.see("Its delivery in the console")
	v.picture("newcomer-message")
	v.click("link", "Its delivery in the console")
	v.see("newcomer@example.com")
	v.see("sent")
	v.calm()
}

// breakEmail sets a fault in the inbox.
func (v *visitor) breakEmail(handOvers string) {
	v.t.Helper()
	v.goTo("/sandbox")
	v.click("DisclosureTriangleGrouped", "Break something…")
	v.choose("Fault of Email", "temporary")
	v.fill("Hand-overs of Email", handOvers)
	v.click("button", "Set the fault of Email")
	v.see("Email is broken")
}

// retryTheFailed finds the delivery that failed, its attempts and its error, and has it sent again.
func (v *visitor) retryTheFailed(subject string) {
	v.t.Helper()
	v.goTo("/deliveries?address=newcomer%40example.com")
	v.see(subject)
	v.see("failed") // the list looks anew by itself
	v.goTo("/errors")
	v.see("EMAIL_SEND_FAIL")
	v.goTo("/deliveries?address=newcomer%40example.com&status=failed")
	v.click("link", "newcomer@example.com")
	v.see("In the error log")
	v.see("451")
	v.picture("newcomer-failed")
	address, err := v.Address()
	v.must(err)
	v.click("link", "Retry")
	v.see("will be handed over again")
	v.click("button", "Retry 1 delivery")
	v.goTo(strings.TrimPrefix(address, v.house.URL))
	v.see("Sent")
	v.must(v.Until(`!!document.querySelector("#status .good, #status.good")`, "the delivery is not sent"))
	v.goTo("/sandbox?q=newcomer%40example.com")
	v.see(subject)
}
