class Silhouette:
    @staticmethod
    def of(people, body, use):
        return None
