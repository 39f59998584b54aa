"""Text blocks as one HTML page that stands alone: its template `page.html` and its `style.css` lie beside.

page      from the blocks to the page: contents, folded notes, how small a table is printed
fragment  from the blocks to HTML that stands in a page of somebody else's
"""
