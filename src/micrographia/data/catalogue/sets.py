"""The public sets of both papers and their stand-ins. Facts as published; addresses were not all tried."""

from micrographia.data.catalogue import planktonset, preparation
from micrographia.data.catalogue.bbbc021 import BBBC021
from micrographia.data.catalogue.public_set import Download, PublicSet

BBBC = "https://data.broadinstitute.org/bbbc"
LJOSA = "Ljosa et al., Annotated high-throughput microscopy image sets for validation, Nature Methods 2012"

LENSLESS = PublicSet(
    name="plankton/lensless",
    about="living plankton by a lensless microscope, colour, with masks",
    folder="plankton/lensless",
    page="https://ibm.ent.box.com/v/PlanktonData",
    licence="CC BY 4.0 (recalled)",
    citation="Pastore et al., Annotation-free learning of plankton for classification and anomaly detection, "
    "Scientific Reports 2020",
    images=6400,
    classes=dict.fromkeys(
        (
            "ACTINOSPHAERIUM NUCLEOFILUM",
            "ARCELLA VULGARIS",
            "BLEPHARISMA AMERICANUM",
            "DIDINIUM NASUTUM",
            "DILEPTUS",
            "EUPLOTES EURYSTOMUS",
            "PARAMECIUM BURSARIA",
            "SPIROSTOMUM AMBIGUUM",
            "STENTOR COERULEUS",
            "VOLVOX",
        ),
        640,
    ),
    layout="TRAIN_IMAGE/<class>/..., TEST_IMAGE/<class>/...",
    preparation="the given split; padded with black to one square, resized to 224 px",
    by_hand="Download TRAIN_IMAGE and TEST_IMAGE in a browser from https://ibm.ent.box.com/v/PlanktonData.",
    prepare=preparation.lensless_table,
)

WHOI15 = PublicSet(
    name="plankton/whoi15",
    about="phytoplankton by an imaging flow cytometer, grey, 15 classes of the year 2007",
    folder="plankton/whoi15",
    page="https://hdl.handle.net/10.1575/1912/7341",
    licence="MIT stands in its repository; that of the images is not stated",
    citation="Sosik, Peacock, Brownlee, Annotated plankton images, 2015, doi:10.1575/1912/7341",
    classes=dict.fromkeys(
        (
            "Asterionellopsis",
            "Chaetoceros",
            "Cylindrotheca",
            "Dactyliosolen",
            "detritus",
            "Dinobryon",
            "Ditylum",
            "Licmophora",
            "pennate",
            "Phaeocystis",
            "Pleurosigma",
            "Pseudonitzschia",
            "Rhizosolenia",
            "Skeletonema",
            "Thalassiosira",
        )
    ),
    layout="2007/<class>/<sample>_<roi>.png; the year has about 100 classes, 15 are read",
    preparation="stratified 80/20 with seed 42; padded to one square, whose side the training part decides",
    downloads=(Download("https://darchive.mblwhoilibrary.org/bitstream/handle/1912/7343/2007.zip?sequence=1"),),
)

PLANKTONSET = PublicSet(
    name="plankton/planktonset",
    about="plankton silhouettes of the in-situ imager ISIIS, Straits of Florida 2014, 121 classes",
    folder="plankton/planktonset",
    page="https://doi.org/10.7289/V5D21VJD",
    licence="not stated; a public archive of the US government (NOAA NCEI accession 0127422)",
    citation="Cowen et al., PlanktonSet 1.0, 2015, NOAA NCEI accession 0127422",
    images=60_736,
    classed=f"121, by folder, as the National Data Science Bowl of 2015 names them: {', '.join(planktonset.CLASSES)}",
    layout=".../FINAL_Plankton_Segments_<date>/<class>/<id>.jpg",
    preparation="data=plankton/ndsb reads 15 of the classes; padded with black after inverting",
    by_hand="Request accession 0127422 from https://doi.org/10.7289/V5D21VJD and unpack its archive (91 MB).",
    megabytes=91,
    prepare=preparation.planktonset_table,
)

VACUOLES = PublicSet(
    name="yeast/vacuoles",
    about="vacuoles of budding yeast, fluorescence, RGB, 4 classes",
    folder="yeast/vacuoles",
    page="https://github.com/CCCofficial/Vacuoles-dataset-unsupervised-learning",
    licence="not stated",
    citation="Pastore et al., An unsupervised learning approach to resolve phenotype to genotype mapping in budding "
    "yeasts vacuoles, ICIAP 2023",
    images=998,
    pixels="80 x 80 px",
    classes=dict.fromkeys(("condensed", "multiple", "negative", "positive")),
    layout=".../images/train_annotated/<class>/..., .../images/test/<class>/...",
    preparation="the given split; a fifth of train for validation",
    downloads=(Download("https://github.com/CCCofficial/Vacuoles-dataset-unsupervised-learning/raw/HEAD/Dataset.zip"),),
    prepare=preparation.vacuoles_table,
)

SIPAKMED = PublicSet(
    name="human_cells/sipakmed",
    about="cervical cells of Pap smears, colour, cut out, 5 classes",
    folder="human/sipakmed",
    page="https://www.cs.uoi.gr/~marina/sipakmed.html",
    licence="academic use (recalled)",
    citation="Plissiti et al., SIPaKMeD, IEEE ICIP 2018",
    images=4049,
    classes=dict.fromkeys(("Dyskeratotic", "Koilocytotic", "Metaplastic", "Parabasal", "Superficial-Intermediate")),
    layout="im_<class>/.../CROPPED/<smear>_<cell>.bmp",
    preparation="stratified 80/20 with seed 42; here the cells of one smear stay on one side",
    by_hand="Download and unpack the five classes' archives from https://www.cs.uoi.gr/~marina/sipakmed.html.",
    prepare=preparation.sipakmed_table,
)

CHULA = PublicSet(
    name="human_cells/chula_rbc12",
    about="red blood cells on stained smears (thalassaemia), colour, 12 classes",
    folder="human/chula_rbc12",
    page="https://github.com/Chula-PIC-Lab/Chula-RBC-12-Dataset",
    licence="MIT",
    citation="Naruenatthanaset et al., Red blood cell segmentation with overlapping cell separation and "
    "classification on imbalanced dataset, arXiv:2012.01321",
    classes=dict.fromkeys(preparation.RBC_CLASSES.values()),
    megabytes=350,
    layout=".../Dataset/<smear>.jpg, .../Label/<smear>.txt; cut out: <class>/<smear>_<x>_<y>.png, labels.csv",
    preparation="crops of 72 px around the annotated centres; uncategorised cells left out; split by smear",
    downloads=(
        Download(
            "https://github.com/Chula-PIC-Lab/Chula-RBC-12-Dataset/archive/HEAD.zip",
            size=350_000_000,
            into="published",
            file="Chula-RBC-12-Dataset.zip",
        ),
    ),
    prepare=preparation.cut_red_cells,
)

BBBC013 = PublicSet(
    name="assay/bbbc013",
    about="FKHR-GFP of U2OS cells moves into the nucleus under wortmannin and LY294002; one plate of 96 wells",
    folder="hcs/bbbc013",
    page="https://bbbc.broadinstitute.org/BBBC013",
    licence="CC BY 3.0",
    citation=f"BBBC013v1, provided by Ilya Ravkin; {LJOSA}",
    images=192,
    classed="by plate map: control (no drug), positive (150 nM wortmannin, 80 uM LY294002), treated, empty",
    pixels="640 x 640 px (recalled)",
    megabytes=32,
    layout="BBBC013_v1_images_bmp/Channel<1 GFP|2 DNA>-<number>-<row>-<column>.BMP, plate maps",
    preparation="a stand-in for the translocation assay of the second paper, whose images are private",
    downloads=(
        Download(
            f"{BBBC}/BBBC013/BBBC013_v1_images_bmp.zip",
            "c059b569d96f70ad5626fad144867e6ece4353622119c46a8af8f9794f1e7985",
            32_404_692,
        ),
        Download(
            f"{BBBC}/BBBC013/BBBC013_v1_platemap_all.txt",
            "e8db6666271d47962fa7d2abfa3ea965352b8e87bee461f2983d0f667bc7ff08",
            513,
        ),
        Download(
            f"{BBBC}/BBBC013/BBBC013_v1_platemap_wortmannin.txt",
            "c833784cb9f797562c07b3c5d21b03739fb88436ff31847d408528aebf00f59b",
            318,
        ),
        Download(
            f"{BBBC}/BBBC013/BBBC013_v1_platemap_ly294002.txt",
            "1dcdee3cd49ab7c5b4f6fc9fbe3e10034df3aa3cbae6c83c25a5b457aabf6834",
            279,
        ),
    ),
)

BBBC014 = PublicSet(
    name="assay/bbbc014",
    about="NF-kB of MCF7 and A549 cells moves into the nucleus under TNF-alpha; one plate of 96 wells",
    folder="hcs/bbbc014",
    page="https://bbbc.broadinstitute.org/BBBC014",
    licence="CC BY 3.0 (recalled)",
    citation=f"BBBC014v1, provided by Ilya Ravkin; {LJOSA}",
    images=192,
    classed="by plate map: control (no TNF-alpha), positive (its highest dose), treated",
    pixels="1360 x 1024 px (recalled)",
    layout="BBBC014_v1_images/Channel <1 FITC|2 DAPI>-<number>-<row>-<column>.Bmp, plate map",
    preparation="a stand-in for the translocation assay of the second paper, whose images are private",
    downloads=(
        Download(f"{BBBC}/BBBC014/BBBC014_v1_images.zip"),
        Download(f"{BBBC}/BBBC014/BBBC014_v1_platemap_all.txt"),
    ),
)

DSPRITES = PublicSet(
    name="dsprites",
    about="the first sprites; data=synthetic/texture_dsprites draws its own unless data.sprites names these",
    folder="dsprites",
    page="https://github.com/google-deepmind/dsprites-dataset",
    licence="Apache-2.0",
    citation="Matthey et al., dSprites: disentanglement testing sprites dataset, 2017",
    images=737_280,
    pixels="64 x 64 px",
    megabytes=26,
    layout="dsprites_ndarray_co1sh3sc6or40x32y32_64x64.npz",
    preparation="enlarged to 224 px, coloured, textured",
    downloads=(
        Download(
            "https://github.com/google-deepmind/dsprites-dataset/blob/master/"
            "dsprites_ndarray_co1sh3sc6or40x32y32_64x64.npz?raw=true"
        ),
    ),
)

BRODATZ = PublicSet(
    name="brodatz",
    about="normalised Brodatz textures, of which the paper's sprites wear five (data.textures)",
    folder="textures/normalized_brodatz",
    page="https://multibandtexture.recherche.usherbrooke.ca/normalized_brodatz.html",
    licence="research (recalled); the photographs are Brodatz's, 1966",
    citation="Abdelmounaime and Dong-Chen, New Brodatz-based image databases, 2013; Brodatz, Textures, 1966",
    images=112,
    pixels="640 x 640 px (recalled)",
    layout="D<number>.tif, at any depth",
    preparation="D11, D40, D23, D109 and D102, 224 x 224 px at offset 20",
    downloads=(Download("https://multibandtexture.recherche.usherbrooke.ca/images/Normalized_Brodatz.zip"),),
)

SETS: dict[str, PublicSet] = {
    entry.name: entry
    for entry in (
        LENSLESS,
        WHOI15,
        PLANKTONSET,
        VACUOLES,
        SIPAKMED,
        CHULA,
        BBBC021,
        BBBC013,
        BBBC014,
        DSPRITES,
        BRODATZ,
    )
}
