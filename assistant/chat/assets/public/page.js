// What the page has besides Chainlit's parts: two buttons in the header, names for controls that have
// none, and keys that close the panel. `words` is written before this by assistant/chat/folder.py.
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
  }

  function button(id, text, label, panel) {
    const made = document.createElement("button")
    made.type = "button"
    made.id = id
    made.className = "dl-header-button"
    made.textContent = text
    made.setAttribute("aria-label", label)
    made.title = label
    made.addEventListener("click", () => ask(panel, 5))
    return made
  }

  // The server opens the panel. Until the page is connected to it, what it is told goes nowhere.
  function ask(panel, tries) {
    if (!tries || document.querySelector(`[data-panel=${panel}]`)) return
    window.postMessage({ dateline: panel }, location.origin)
    setTimeout(() => ask(panel, tries - 1), 1500)
  }

  let limits = ""

  function show() {
    const sources = document.getElementById("dl-sources-button")
    if (!sources) return
    sources.classList.toggle("dl-limited", Boolean(limits))
    sources.title = limits ? `${words.sourcesButtonLabel}: ${limits}` : words.sourcesButtonLabel
    sources.setAttribute("aria-label", sources.title)
  }

  function add() {
    const header = document.getElementById("header")
    if (!header || document.getElementById("dl-sources-button")) return
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
    if (event.data?.dateline === "resumed") setTimeout(() => showLast(20), 100)
    if (event.data?.dateline !== "limits") return
    limits = String(event.data.said || "")
    show()
  })

  // The panel of articles is no dialog on a wide page: Escape closes it, and goes back to its chip.
  window.dateline.openedFrom = null
  document.addEventListener("keydown", (event) => {
    const close = document.querySelector("#side-view-title button")
    if (event.key !== "Escape" || !close || document.querySelector("[role=dialog]")) return
    close.click()
    window.dateline.openedFrom?.focus()
  })

  new MutationObserver(() => {
    add()
    name()
  }).observe(document.documentElement, { childList: true, subtree: true, attributeFilter: ["data-state"] })
})()
