"""Sentences to speak, written for this package: plain, unemotional, rich in different sounds.

Each language's set holds every phoneme that its espeak-ng voice has in common words, with many
p b m f v and rounded vowels, because lips show these. Free to use under the package's licence.
"""

from __future__ import annotations

import numpy as np

from emojax.data.errors import DataError

ENGLISH = (
    "The old boat drifted past the pier before anyone woke up.",
    "My brother measures every plank twice and cuts it once.",
    "A thin layer of frost covered the garden this morning.",
    "Please put both books back where you found them.",
    "The judge chose a quiet corner and began to read.",
    "Warm bread and fresh butter make a very good breakfast.",
    "Five foxes vanished behind the wooden fence.",
    "She usually measures the flour with a small blue cup.",
    "They would rather walk home than wait for the bus.",
    "Our neighbour paints huge pictures of tiny birds.",
    "The chef threw the fish bones into a copper pot.",
    "Nothing rhymes with orange, or so the children believe.",
    "You may borrow my umbrella if the weather turns bad.",
    "The pump in the basement makes a strange humming noise.",
    "Young Thomas plays the oboe in the village band.",
    "We found a map of the mountains under the stairs.",
    "Purple clouds moved slowly over the empty beach.",
    "The shepherd whistled, and both of the dogs came running.",
    "A wise owl watched us from the top of the yew tree.",
    "Keep the engine cool and check the oil every month.",
    "The museum opens at half past nine on Wednesdays.",
    "Whose gloves are these on the kitchen table?",
    "He poured some hot water over the crushed mint leaves.",
    "The bright yellow van belongs to the bakery.",
    "Bob and Pam move the piano from room to room.",
    "The ship's bell rang twice, and the crew went to supper.",
    "Do you know how far away the nearest star is?",
    "Father thought that the path led north through the heather.",
    "A big black beetle crawled up the window frame.",
    "The violin was made of maple, spruce and a little ebony.",
    "Joyce enjoys the noise of the boiling pot.",
    "Could you push the pull handle, or pull the push plate?",
    "The azure water near the reef is clear and shallow.",
    "Mild cheese melts faster than most people expect.",
    "Twelve vivid maps hang above the professor's desk.",
    "The puppet bowed, blinked, and opened its mouth to speak.",
    "Snow fell for four days and buried the farm road.",
    "I was happy to hear that the bridge had been repaired.",
    "The pilot asked for permission to land before midnight.",
    "Her uncle grows beans, plums, peppers and pumpkins.",
    "We measured the beam again and the number was the same.",
    "The moth flew round the lamp and then out into the night.",
    "Every Thursday a barge full of gravel passes the mill.",
    "Choose any card you like, but show it to nobody.",
    "The rough cloth was woven from wool and hemp.",
    "A warm wind blew the smoke toward the valley.",
    "My watch stopped at a quarter to two.",
    "The baby was fast asleep by the time we arrived.",
    "Good news: the missing parcel has turned up at the airport.",
    "He put a wooden peg in each hole along the beam.",
    "The lamb jumped over the puddle and ran to its mother.",
    "There is usually a queue in front of the box office.",
    "Both pipes must be empty before the valve is removed.",
    "The rabbit hopped away when I opened the gate.",
    "You will find fresh soap above the bathroom sink.",
    "The tall ship moved off with the evening tide.",
    "Maybe the best view is from the chapel roof.",
    "Music from the open window floated above the square.",
    "The author wrote the whole book in a beach hut.",
    "Put the lid on the jam before the wasps come.",
    "Few people have ever seen the far side of the island.",
    "We heard a cough, a laugh, and the click of a door.",
    "Smooth pebbles shimmered beneath the shallow stream.",
    "The vision of the project is simple and very bold.",
)
GERMAN = (
    "Der alte Kapitän putzt jeden Morgen die Pumpe am Bug.",
    "Meine Mutter backt am Wochenende gern Brot mit Kümmel.",
    "Fünf junge Vögel sitzen auf dem Zaun und pfeifen.",
    "Über dem Fluss hängt ein dünner, weißer Nebel.",
    "Der Bäcker öffnet sein Geschäft pünktlich um halb sechs.",
    "Wir möchten bitte zwei Tassen Kaffee und ein Stück Kuchen.",
    "Im Keller steht eine große Kiste voller Bücher.",
    "Paul und Emma bummeln gemütlich über den Markt.",
    "Die Brücke wurde im vergangenen Jahr völlig erneuert.",
    "Ein blauer Schmetterling flog durch das offene Fenster.",
    "Abends hören wir oft Musik und spielen Schach.",
    "Der Junge wirft den Ball hoch über die Mauer.",
    "Frische Pflaumen und Äpfel liegen in der Schüssel.",
    "Ich weiß noch nicht, welchen Weg wir morgen nehmen.",
    "Das Pferd trabt ruhig am Ufer des Baches entlang.",
    "Zwischen den Bäumen leuchtet das Dach der Mühle.",
    "Bitte bringen Sie mir den Hammer und ein paar Nägel.",
    "Neue Häuser wachsen am Rand der Stadt empor.",
    "Vor dem Museum wartet eine Gruppe fröhlicher Kinder.",
    "Der Zug nach Köln hat heute elf Minuten Verspätung.",
    "Im Frühling blühen hier überall gelbe Tulpen.",
    "Niemand bemerkte den kleinen Fehler in der Rechnung.",
    "Opa pflückt Bohnen, Möhren und süße Erbsen.",
    "Genau vor unserem Haus hält jetzt ein gelber Bus.",
)
FRENCH = (
    "Le vieux pêcheur répare son bateau au bord du fleuve.",
    "Ma mère prépare une bonne soupe aux légumes.",
    "Le boulanger ouvre sa boutique avant sept heures.",
    "Un petit oiseau bleu chante sur la branche du pommier.",
    "Nous avons marché longtemps dans la forêt profonde.",
    "Peux-tu fermer la fenêtre et baisser un peu la musique ?",
    "Le garçon garde les grandes gommes dans une boîte grise.",
    "Il faut toujours vérifier la pompe avant de partir.",
    "La jeune femme peint des paysages en automne.",
    "Mon voisin collectionne des montres et de vieux livres.",
    "Le train pour Bordeaux part du quai numéro neuf.",
    "Au printemps, les champs se couvrent de fleurs jaunes.",
    "Elle boit une tasse de thé et mange un morceau de pain.",
    "Un brun parfum de chêne emplissait la chambre.",
    "Le soleil brille, mais le vent reste froid ce matin.",
    "Quelqu'un a oublié son parapluie sous le banc.",
    "La montagne disparaît peu à peu dans la brume.",
    "Philippe habite une ferme près du pont de pierre.",
    "Voulez-vous du beurre et du miel avec votre brioche ?",
    "Le juge écoute chaque témoin sans dire un mot.",
    "On voit d'ici la mer, l'île et le phare rouge.",
    "Huit huîtres et du poisson, voilà un beau repas.",
    "La vigne et le figuier gagnent toute la colline.",
    "Depuis lundi, la pluie tombe doucement sur la ville.",
)
SPANISH = (
    "El viejo pescador pinta su barco de color blanco.",
    "Mi abuela prepara un pan muy bueno los domingos.",
    "Cinco pájaros pequeños cantan en la rama del árbol.",
    "Por favor, pon los libros sobre la mesa del comedor.",
    "El tren para Burgos sale a las nueve y media.",
    "Mañana vamos a subir al monte por el camino viejo.",
    "La lluvia cayó toda la noche sobre el pueblo.",
    "Un perro marrón duerme a la sombra del puente.",
    "Los niños juegan a la pelota en el patio de la escuela.",
    "Mi vecino guarda muchos mapas y relojes antiguos.",
    "Hay que llenar bien la botella antes de empezar el viaje.",
    "La plaza estaba llena de gente y de música alegre.",
    "El chico compró un zumo de limón y una manzana.",
    "Bebemos café con leche y un vaso de agua fría.",
    "El museo abre sus puertas a las diez de la mañana.",
    "Desde la ventana se ve el puerto y el faro rojo.",
    "La jueza escucha con calma a todos los testigos.",
    "Nuestro huerto da pimientos, tomates y hierbabuena.",
    "El viento empuja las nubes grandes hacia un golfo tranquilo.",
    "Alguien dejó un paraguas azul bajo el banco.",
    "Pedro trabaja en un barrio tranquilo cerca del mar.",
    "Las ovejas bajan despacio por la orilla del río.",
    "Fue un invierno largo, pero por fin llega la primavera.",
    "Un gato gris y un ganso gordo beben junto al molino.",
)
SENTENCES = {"en": ENGLISH, "de": GERMAN, "fr": FRENCH, "es": SPANISH}
# Seconds a character, pauses between sentences included, at espeak-ng's 175 words a minute.
PACE = {"en": 0.057, "de": 0.057, "fr": 0.048, "es": 0.060}


def pick(seed: int, language: str, seconds: float) -> tuple[str, ...]:
    """Returns sentences in random order that take at least so long to speak.

    None comes twice before all came once, and none twice in a row.

    Args:
      seed: any integer from 0; the same gives the same sentences.
      language: "en", "de", "fr" or "es"; a voice's code ("en-gb+f3") counts as its language.
      seconds: estimated within about 10 %, at 175 words a minute; at least one sentence comes.

    Raises:
      DataError: no sentences in that language.
    """
    code = language.lower().partition("+")[0].partition("-")[0]
    if code not in SENTENCES:
        raise DataError(
            expected=f"a language of {', '.join(SENTENCES)}",
            got=f"{language!r}",
            fix="Write the text yourself.",
        )
    generator = np.random.default_rng(seed)
    chosen, left, order = [], seconds, []
    while not chosen or left > 0:
        if not order:
            order = [
                SENTENCES[code][index] for index in generator.permutation(len(SENTENCES[code]))
            ]
            if chosen and order[-1] == chosen[-1]:
                order = order[::-1]
        chosen.append(order.pop())
        left -= PACE[code] * len(chosen[-1])
    return tuple(chosen)
