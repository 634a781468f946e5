"""Registration district codes that open (or close) a plate, by country.

They are facts of law, listed because a code that exists decides where a plate's groups part: `B NO` and `BN O`
are both possible, `BNO` is not. Countries whose codes are not listed here have none or need none.
Letters are canonical: Š, Č, Ž, Ć without their marks, as `plates` writes them.
"""


def _codes(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Fahrzeug-Zulassungsverordnung (FZV) Anlage 1, with the historic codes districts have brought back since 2012.
GERMANY = _codes(
    """
    A AA AB ABG ABI AC AE AH AIB AIC AK AL ALF ALS ALZ AM AN ANA ANG ANK AP APD AR ARN ART AS ASD ASL ASZ AT AU AUR
    AW AZ AZE AÖ B BA BAD BAR BB BBG BC BCH BD BE BED BEI BEL BER BF BG BGD BGL BH BI BID BIN BIR BIT BIW BK BKS BL
    BLB BLK BM BN BNA BO BOG BOH BOR BOT BRA BRB BRG BRI BRK BRL BRV BS BSB BSK BT BTF BU BUL BUR BW BZ BZA BÖ BÜD
    BÜR BÜS BÜZ C CA CAS CB CE CHA CLP CLZ CO COC COE CR CUX CW D DA DAH DAN DAU DBR DD DE DEG DEL DGF DH DI DIL DIN
    DIZ DKB DL DLG DM DN DO DON DS DT DU DUD DW DZ DÜW E EA EB EBE EBN EBS ECK ED EE EF EG EH EI EIC EIL EIN EIS EL
    EM EMD EMS EN ER ERB ERH ERK ES ESB ESW EU EUT EW F FAL FB FD FDB FDS FEU FF FFB FG FH FI FKB FL FLÖ FN FO FOR
    FR FRG FRI FRW FS FT FTL FW FZ FÜ FÜS G GA GAN GAP GC GD GDB GE GEL GEM GEO GER GF GG GHA GHC GI GK GL GLA GM
    GMN GN GNT GOA GOH GP GR GRA GRH GRI GRM GRS GRZ GS GT GTH GUB GUN GV GVM GW GZ GÖ GÜ H HA HAB HAL HAM HAS HB
    HBN HBS HC HCH HD HDH HDL HE HEB HEF HEI HEL HER HET HF HG HGN HGW HH HHM HI HIG HIP HK HL HM HMÜ HN HO HOG HOH
    HOL HOM HOR HOT HP HR HRO HS HSK HST HU HUS HV HVL HWI HX HY HZ HÖS HÜN IGB IK IL ILL IN IZ J JB JE JEV JL JÜL K
    KA KAR KB KC KE KEH KEL KEM KF KG KH KI KIB KK KL KLE KLZ KM KN KO KR KRU KS KT KU KUS KW KY KYF KÖN KÖT KÖZ KÜN
    L LA LAN LAT LAU LB LBS LBZ LC LD LDK LDS LEO LER LEV LF LG LH LI LIB LIF LIN LIP LL LM LN LOH LOS LP LR LRO LS
    LSA LSZ LU LUK LUP LWL LÖ LÖB LÜD LÜN M MA MAB MAI MAK MAL MAR MB MC MD ME MED MEG MEI MEK MEL MEP MER MES MET
    MG MGH MGN MH MHL MI MIL MK MKK ML MM MN MO MOD MOL MON MOS MQ MR MS MSE MSH MSP MST MT MTK MTL MVL MW MY MYK MZ
    MZG MÜ MÜB MÜL MÜN MÜR N NAB NAI NAU NB ND NDH NE NEA NEB NEC NEN NES NEU NEW NF NH NI NIB NK NM NMB NMS NOH NOL
    NOM NOR NP NR NRÜ NT NU NVP NW NWM NY NZ NÖ OA OAL OB OBB OBG OC OCH OD OE OF OG OH OHA OHV OHZ OK OL OP OPR OS
    OSL OTW OVI OVL OVP OZ P PA PAF PAN PAR PB PCH PE PEG PF PI PIR PL PLÖ PM PN PR PRÜ PS PW PZ QFT QLB R RA RC RD
    RDG RE REG REH REI RG RH RI RID RIE RL RM RN RO ROD ROF ROK ROL ROS ROT ROW RP RPL RS RSL RT RU RV RW RY RZ RÜD
    RÜG S SAB SAD SAL SAN SAW SB SBG SBK SC SCZ SDH SDL SDT SE SEB SEE SEF SEL SFB SFT SG SGH SH SHA SHG SHK SHL SI
    SIG SIM SK SL SLE SLF SLG SLK SLN SLS SLZ SLÜ SM SMÜ SN SNH SO SOB SOG SOK SON SP SPB SPN SR SRB SRO ST STA STB
    STD STE STH STL STO SU SUL SW SWA SY SZ SZB SÄK SÖM SÜW TBB TDO TE TET TF TG TIR TO TP TR TS TT TUT TÖL TÖN TÜ
    UE UEM UFF UH UL UM UN USI V VAI VB VEC VER VG VIB VIE VIT VK VOH VR VS W WA WAF WAK WAN WAR WAT WB WBS WDA WE
    WEB WEG WEL WEM WEN WER WES WF WG WHV WI WIL WIS WIT WIZ WK WL WLG WM WMS WN WND WO WOB WOH WOL WOR WOS WR WRN
    WS WSF WST WSW WT WTL WTM WUG WUN WUR WW WZ WZL WÜ WÜM Z ZE ZEL ZI ZIG ZP ZR ZW ZZ ÖHR ÜB
    """
)
# Kraftfahrgesetz-Durchführungsverordnung (KDV) § 26, with the codes of districts merged since 2012.
AUSTRIA = _codes(
    """
    AM B BA BL BM BN BR BZ DL DO E EF EU FB FE FF FK FR FV G GB GD GF GM GR GS GU HA HB HE HF HL HO I IL IM JE JO JU
    K KB KF KG KI KL KO KR KS KU L LA LB LE LF LI LL LN LZ MA MD ME MI MT MU MZ N ND NK OP OW P PE PL RA RE RI RO S
    SB SD SE SL SO SP SR ST SV SW SZ T TA TU UU V VB VI VK VL VO W WB WE WL WN WO WT WU WY WZ ZE ZT
    """
)
# KDV § 26: federal services.
AUSTRIA_STATE = _codes("BB BD BG BH BP FV FW JW PT ZW")
# Bulgarian regions, Ordinance I-45 of 2000, in the letters both alphabets have.
BULGARIA = _codes("A B BH BP BT C CA CB CC CH CM CO CT E EA EB EH H K KH M OB P PA PB PK PP PT T TX X Y")
# Verkehrszulassungsverordnung (VZV) Art. 84: cantons.
SWITZERLAND = _codes("AG AI AR BE BL BS FR GE GL GR JU LU NE NW OW SG SH SO SZ TG TI UR VD VS ZG ZH")
# Provincial plates until September 2000, Código de la Circulación of 1934 as amended in 1971.
SPAIN = _codes(
    """
    A AB AL AV B BA BI BU C CA CC CE CO CR CS CU GC GE GI GR GU H HU IB J L LE LO LU M MA ML MU NA O OR OU P PM PO S
    SA SE SG SO SS ST T TE TF TO V VA VI Z ZA
    """
)
# Arrêté du 5 novembre 1984: department numbers as on plates.
FRANCE = frozenset(
    [f"{number:02d}" for number in range(1, 96) if number != 20]
    + ["2A", "2B", "971", "972", "973", "974", "975", "976", "978", "986", "987", "988"]
)
# Pravilnik o registraciji i označavanju vozila, Annex: city codes.
CROATIA = _codes(
    """
    BJ BM CK DA DE DJ DU GS IM KA KC KR KT KZ MA NA NG OG OS PS PU PZ RI SB SI SK SL ST VK VT VU VZ ZD ZG ZU
    """
)
# S.I. No. 432/1982 and S.I. No. 542/2013: counties and cities.
IRELAND = _codes("C CE CN CW D DL G KE KK KY L LD LH LK LM LS MH MN MO OY RN SO T TN TS W WD WH WW WX")
# Pravilnik za registracija na motorni vozila: places of North Macedonia.
MACEDONIA = _codes(
    """
    BE BR BT DB DE DH DK GE GV KA KI KO KP KR KS KU MB MK NE OH PE PP PS RA RE SK SN SR ST SU TE VA VE VI VV
    """
)
# Pravilnik o registraciji motornih i priključnih vozila of Montenegro.
MONTENEGRO = _codes("AN BA BD BP BR CT DG GS GU HN KL KO MK NK PG PL PT PV RO SN TV TZ UL ZB ZT")
# OMAI 1501/2006: counties; Bucharest is B.
ROMANIA = _codes(
    """
    AB AG AR B BC BH BN BR BT BV BZ CJ CL CS CT CV DB DJ GJ GL GR HD HR IF IL IS MH MM MS NT OT PH SB SJ SM SV TL TM
    TR VL VN VS
    """
)
# Pravilnik o registraciji motornih vozil: registration areas of Slovenia.
SLOVENIA = _codes("CE GO KK KP KR LJ MB MS NM PO SG")
# Karayolları Trafik Yönetmeliği: provinces 01 to 81.
TURKEY = frozenset(f"{number:02d}" for number in range(1, 82))
# Law on Road Traffic Safety of Serbia, by-law on registration: registration areas.
SERBIA = _codes(
    """
    AC AL AR BB BC BD BE BG BK BL BO BP BT BU CA CI CU DE DH GL GM IC IN IS JA KA KC KG KH KI KL KM KO KS KV KZ LB
    LE LO LU MA MI ML NG NI NP NS NV OP PA PB PE PI PK PN PO PR PT PP RA RU SA SC SD SI SM SO SP SS ST SU SV TA
    TI TO
    TS TT UB UE UR UZ VA VB VL VP VR VS ZA ZR
    """
)
