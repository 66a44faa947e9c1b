// What the page has besides Chainlit's parts: two buttons in the header, names and roles for controls
// that have none, word of an answer for who cannot see it, and keys that close the panel. `words` is written before this by assistant/doors/chat/folder.py.
(() => {
  const words = window.dateline.words

  window.dateline.say = (name, values) =>
    words[name].replace(/\{(\w+)\}/g, (place, key) => (key in values ? values[key] : place))

  const LABELS = {
    "#new-chat-button": "newChat",
    "#chat-submit": "send",
    "#stop-button": "stop",
    "#upload-button, #upload-button-loading": "upload",
    "#chat-input": "question",
    "#edit-chat-input": "question",
    ".edit-message": "editQuestion",
    ".positive-feedback-on, .positive-feedback-off": "good",
    ".negative-feedback-on, .negative-feedback-off": "bad",
    "#side-view-title button": "closePanel",
    "#theme-toggle": "theme",
    "#user-nav-button": "person",
    "#sidebar-trigger-button": "history",
    "#search-chats-button": "search",
    "#thread-options": "conversation",
    "form button:has(.lucide-eye), form button:has(.lucide-eye-off)": "showPassword",
    "button:has(> .lucide-message-circle)": "comment",
    "button:has(> .lucide-arrow-down)": "newest",
    "#attachments button": "removeFile",
    ".ai-message button:has(> .lucide-copy), .ai-message button:has(> .lucide-check)": "copyMessage",
    "[data-resize-handle]": "panelWidth",
    "[role=dialog][data-sidebar]": "history",
    "[role=dialog]:has(#submit-feedback) textarea": "commentBox",
    "[role=dialog] input#name": "newName",
  }

  function name() {
    for (const [selector, key] of Object.entries(LABELS))
      for (const control of document.querySelectorAll(selector))
        if (control.getAttribute("aria-label") !== words.labels[key])
          control.setAttribute("aria-label", words.labels[key])
    // What opens a menu must be reached with the keyboard, whatever element it is.
    for (const control of document.querySelectorAll("div#thread-options:not([role=button])")) {
      control.setAttribute("role", "button")
      control.tabIndex = 0
    }
    // A sidebar that is shut lies beside the page, where the keyboard must not go.
    for (const sidebar of document.querySelectorAll("[data-side=left][data-state]"))
      sidebar.inert = sidebar.dataset.state === "collapsed"
    for (const input of document.querySelectorAll("input[type=file]:not([aria-hidden])"))
      input.setAttribute("aria-hidden", "true")
    repair()
  }

  // What Chainlit's parts say of themselves to a screen reader, where that is not so.
  const WRONG = [
    // They refer to elements that are not there.
    ["[data-resize-handle][aria-controls]", "aria-controls", null],
    ["[role=dialog][data-sidebar][aria-labelledby]", "aria-labelledby", null],
    ["[role=dialog]:has(#side-view-title)", "aria-labelledby", "side-view-title"],
    // A list of other things than items; a button around another, inside a link that does the same.
    ["ul:has(> #thread-history)", "role", "none"],
    ["[data-sonner-toaster]", "role", "group"],
    ["#thread-history a > button", "role", "group"],
    ["#thread-history a > button", "tabindex", "-1"],
  ]

  function repair() {
    for (const [selector, attribute, value] of WRONG)
      for (const element of document.querySelectorAll(selector))
        if (value === null) element.removeAttribute(attribute)
        else if (element.getAttribute(attribute) !== value) element.setAttribute(attribute, value)
    for (const link of document.querySelectorAll("#thread-history a"))
      for (const part of [link, link.firstElementChild])
        if (part && part.getAttribute("aria-label") !== link.querySelector("span")?.textContent)
          part.setAttribute("aria-label", link.querySelector("span")?.textContent ?? "")
  }

  function button(id, text, label, panel) {
    const made = document.createElement("button")
    made.type = "button"
    made.id = id
    made.className = "dl-header-button"
    made.textContent = text
    made.setAttribute("aria-label", label)
    made.title = label
    const open = () => {
      window.dateline.opened = open
      wanted = panel
      ask(panel, 5)
    }
    made.addEventListener("click", () => {
      window.dateline.openedFrom = made
      open()
    })
    return made
  }

  let wanted = null

  // The server opens the panel. Until the page is connected to it, what it is told goes nowhere.
  function ask(panel, tries) {
    if (document.querySelector(`[data-panel=${panel}]`)) wanted = null
    if (!tries || wanted !== panel) return
    window.postMessage({ dateline: panel }, location.origin)
    setTimeout(() => ask(panel, tries - 1), 1500)
  }

  // What to ask next, by answer: an answer that is drawn anew has it still.
  window.dateline.next = {}

  let limits = ""

  function show() {
    const sources = document.getElementById("dl-sources-button")
    if (!sources) return
    sources.classList.toggle("dl-limited", Boolean(limits))
    sources.textContent = limits ? words.sourcesButtonLimited : words.sourcesButton
    sources.title = limits ? `${words.sourcesButtonLabel}: ${limits}` : words.sourcesButtonLabel
    sources.setAttribute("aria-label", sources.title)
  }

  function add() {
    const header = document.getElementById("header")
    if (!header || document.getElementById("dl-sources-button")) return
    const title = document.createElement("h1")
    title.className = "dl-unseen"
    title.textContent = document.title
    header.prepend(title)
    header.lastElementChild.prepend(
      button("dl-sources-button", words.sourcesButton, words.sourcesButtonLabel, "library"),
      button("dl-export-button", words.exportButton, words.exportButtonLabel, "export")
    )
    show()
  }

  // A conversation that is opened again is read on from its last question.
  function showLast(tries) {
    const questions = document.querySelectorAll("[data-step-type=user_message]")
    if (questions.length) questions[questions.length - 1].scrollIntoView()
    else if (tries) setTimeout(() => showLast(tries - 1), 100)
  }

  window.addEventListener("message", (event) => {
    if (event.origin !== location.origin) return
    if (event.data?.dateline === "next") window.dateline.next[event.data.answer] = event.data.questions
    if (event.data?.dateline === "resumed") setTimeout(() => showLast(20), 100)
    if (event.data?.dateline !== "limits") return
    limits = String(event.data.said || "")
    show()
  })

  // The panel is no dialog on a wide page: Escape closes it, and whoever closes it goes on where he was.
  window.dateline.openedFrom = null
  document.addEventListener("keydown", (event) => {
    const close = document.querySelector("#side-view-title button")
    if (event.key === "Escape" && close && !document.querySelector("[role=dialog], [role=menu]")) close.click()
  })
  const goBack = (event) => {
    if (!event.target.closest("#side-view-title button")) return
    const before = window.dateline.openedFrom
    setTimeout(() => (before?.isConnected ? before : document.getElementById("chat-input"))?.focus())
  }
  document.addEventListener("click", goBack, { capture: true })  // before the button goes

  // What is said, once, to who hears the page instead of seeing it.
  const said = document.createElement("p")
  said.id = "dl-said"
  said.className = "dl-unseen"
  said.setAttribute("role", "status")
  let busy = false

  function follow() {
    const was = busy
    busy = Boolean(document.getElementById("stop-button"))
    if (was && !busy) announce(10)
    else if (busy && !was) said.textContent = ""
  }

  function announce(tries) {
    if (busy) return
    const questions = document.querySelectorAll("[data-step-type=user_message]")
    const question = questions[questions.length - 1]
    const shown = [...document.querySelectorAll(".dl-answer, .dl-uploaded, .ai-message .message-content")].filter(
      (e) => question && question.compareDocumentPosition(e) & Node.DOCUMENT_POSITION_FOLLOWING
    )
    const answer = shown.find((e) => e.matches("[data-status]"))
    // An answer is drawn a moment after it has come.
    if (!answer && tries) setTimeout(() => announce(tries - 1), 150)
    else if (answer) said.textContent = answer.matches(".dl-missing") ? words.announceMissing : words.announceAnswer
    else said.textContent = shown.pop()?.textContent ?? ""
  }

  // What its reader has open, Chainlit closes in two cases: when the first answer gives a conversation
  // its address, for which it makes the page anew (on a phone when its reader first looks at the
  // conversations), and, of an article, when a later answer is drawn. It is opened again, as it was.
  let path = location.pathname
  let again = null
  // What its reader closes it with, or opens another in its place.
  const CLOSING = "#side-view-title button, .dl-mark, .dl-card, .dl-step, .dl-header-button"
  let closing = false
  let isArticle = false
  let top = 0
  const remember = (event) => {
    if (event.target.closest("#header #sidebar-trigger-button")) again = openHistory
    else if (event.target.closest("#thread-history a, [role=option]")) again = null
    else if (event.target.closest(CLOSING)) closing = true
  }
  document.addEventListener("click", remember, { capture: true })  // before the button goes
  const noteScroll = ({ target }) => {
    if (target instanceof Element && target.querySelector("#side-view-content")) top = target.scrollTop
  }
  document.addEventListener("scroll", noteScroll, { capture: true, passive: true })

  function openHistory(tries = 20) {
    const phone = matchMedia("(max-width: 767px)").matches
    const sidebar = document.querySelector("[data-side=left][data-state]")
    const trigger = document.querySelector("#header #sidebar-trigger-button")
    // Chainlit draws a wide page first, on a phone too.
    if (trigger && phone === !sidebar) trigger.click()
    else if (tries) setTimeout(() => openHistory(tries - 1), 100)
  }

  function reopen() {
    const panel = document.getElementById("side-view-content")
    const begun = path === "/" && location.pathname.startsWith("/thread/")
    const elsewhere = path !== location.pathname && !begun
    path = location.pathname
    if (panel?.querySelector("[data-panel]") && !elsewhere) {
      again = window.dateline.opened
      isArticle = Boolean(panel.querySelector("[data-panel=source]"))
    }
    const closed = closing
    closing &&= Boolean(panel)
    if (panel || !again) return
    const open = again
    if (!begun && !elsewhere && open === openHistory) return
    again = null
    // Settings have done their work then; on a phone the panel is a dialog, closed before one asks.
    if (closed || elsewhere || (!begun && !isArticle) || (!begun && matchMedia("(max-width: 767px)").matches)) return
    window.dateline.back = begun ? null : { top }
    // A moment later: the page then knows whether it is on a phone, and listens to the server.
    setTimeout(() => {
      const replaced = document.getElementById("side-view-content")
      if (begun || (!replaced && document.querySelector(".dl-answer, .dl-uploaded"))) open()
    }, 100)
  }

  new MutationObserver(() => {
    if (wanted && document.querySelector(`[data-panel=${wanted}]`)) wanted = null
    if (document.body && !said.isConnected) document.body.append(said)
    add()
    name()
    follow()
    reopen()
  }).observe(document.documentElement, { childList: true, subtree: true, attributeFilter: ["data-state"] })
})()
