// copy.js copies the page as JSON: y shows it, the button copies it.
const button = document.getElementById("copy"), link = document.getElementById("json");
if (button) { button.hidden = false; button.addEventListener("click", copyPage); }

export async function copyPage() {
  try {
    const text = await (await fetch(link.href, { credentials: "same-origin" })).text();
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  } catch {
    location.assign(link.href); // without a clipboard it is shown
  }
}
